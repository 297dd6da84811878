"""What albumkit shows: text for people, JSON for programs."""
