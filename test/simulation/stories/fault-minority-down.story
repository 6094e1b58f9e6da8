# Minority down: strict goes on; hints keep what the one that is down has missed.
nodes A B C
background on
A puts 1                    -> applied
kill C
A puts 2                    -> applied, was 1
B reads                     -> 2
wait 200 ms
A keeps 1 hint
start C
wait 400 ms
A keeps 0 hints
all hold 2
roots agree
