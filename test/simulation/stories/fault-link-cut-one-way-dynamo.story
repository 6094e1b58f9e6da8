# A link cut one way, dynamo mode: A hears C and so does not take it for down; it keeps a hint, and B repairs C meanwhile.
nodes A B C
spares D
mode dynamo
background on

cut A > C
A puts 1                    -> applied
wait 100 ms
A keeps 1 hint
C holds nothing
wait 900 ms
C holds 1
D holds nothing
A keeps 1 hint
heal
wait 400 ms
A keeps 0 hints
all hold 1
