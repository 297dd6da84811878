"""What answers questions about pictures, one file each, and the one function that picks among them."""
