"""What protocols are made of; nothing in it knows one of them."""
