"""Images as people have them: what lies in a folder or file, and what it means."""
