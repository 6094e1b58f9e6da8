# Counterexample 33 with three replicas: the newer 2 is at A, which forgets it, and at D, which keeps it as a hint for B.
nodes A B C
spares D
mode dynamo
W 2
limit statesKept 0
breaks restored-anew -> lost-write

A puts 1                    -> applied
wait 10 ms
all hold 1
cut BC
D puts 2                    -> applied
wait 10 ms
A holds 2
D keeps 1 hint
heal
cut D
rot A
A reads eventually          -> 1
wait 300 ms
all hold 1
heal
background on
wait 500 ms
all hold 2
