"""bench/peers: the servers that are measured, one file each. peer.py says what each of them must be able to do; group.py (their
processor time), fetch.py (their programs), overlay.py and names.py (what no setting changes) are what they share; try.py tries them."""
