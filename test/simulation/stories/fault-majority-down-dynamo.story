# Majority down, dynamo mode, W=1: writes and reads go on, and the replicas are alike in the end.
nodes A B C
mode dynamo
W 1
background on

A puts 1                    -> applied
wait 10 ms
kill BC
A puts 2                    -> applied
A reads eventually          -> 2
A reads                     -> unavailable
A puts 3                    -> applied
start BC
wait 900 ms
all hold 3
A keeps 0 hints
roots agree
