# Counterexample 33: a blind write with W copies need not be at a majority. A restores 1 from B, C and D; at E, out of reach,
# is the newer 2. 1 must not get a fresh ballot: it would win over 2.
nodes A B C D E
mode dynamo
W 2
limit statesKept 0
breaks restored-anew -> lost-write

A puts 1                    -> applied
wait 10 ms
all hold 1
cut BCD
E puts 2                    -> applied
wait 10 ms
AE hold 2
heal
cut E
rot A
A reads eventually          -> 1
wait 300 ms
ABCD hold 1
heal
E reads                     -> 2
wait 20 ms
all hold 2
