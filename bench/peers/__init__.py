"""bench/peers: the servers that are measured, one file each. peer.py says what each of them must be able to do."""
