# Minority down, dynamo mode: a substitute keeps the copy of the home that is down, and hands it over.
nodes A B C
spares D
mode dynamo
background on

A puts 1                    -> applied
kill C
wait 400 ms
A puts 2                    -> applied
wait 10 ms
D keeps 1 hint
D holds nothing
B reads                     -> 2
start C
wait 400 ms
D keeps 0 hints
all hold 2
roots agree
