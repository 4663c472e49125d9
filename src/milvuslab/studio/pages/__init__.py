"""The pages: values rendered to HTML, in Korean and English, kept live over a websocket."""
