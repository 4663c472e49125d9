"""What a person runs: workspaces, servers by profile, everything up and down again, and the diagnosis of a machine."""
