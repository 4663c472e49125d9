"""Documents from files, addresses and samples, and passages of them: knows no server and no encoder."""
