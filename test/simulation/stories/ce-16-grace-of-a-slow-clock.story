# Counterexample 16: the grace of a tombstone counts from when it came, too: the clock of the node that deleted the item
# may be far behind.
# D and E are behind by more than the grace. E keeps 1 for C as a hint, which is young; D deletes it.
nodes A B C
spares D E
breaks grace-by-date-alone -> not-linearizable

clock D -2600 ms
clock E -2600 ms
cut E > C
E puts 1                    -> applied
wait 100 ms
E keeps 1 hint
D deletes                   -> applied, was 1
wait 10 ms
A purges                    -> 0 purged, 0 waiting
heal
background on
wait 300 ms
E keeps 0 hints
B reads                     -> nothing
wait 3500 ms
all hold nothing
