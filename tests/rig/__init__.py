"""tests/rig: what all black-box tests share: a server to start, a client that checks every reply, a next hop and a name
server that do as they are told. Nothing in here looks into the program; it knows what the manual says."""
