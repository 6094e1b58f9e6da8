# Counterexample 12, solo tombstone purge: a tombstone stays until every member has it.
nodes A B C
limit purgeIntervalMs 100000
breaks tombstones-not-kept -> not-linearizable

A puts 1                    -> applied
wait 10 ms
kill C
A deletes                   -> applied, was 1
wait 3000 ms
A purges                    -> 0 purged, 1 waiting
AB hold tombstone
start C
cut A
B reads                     -> nothing
heal
background on
wait 3000 ms
A purges                    -> 1 purged, 0 waiting
all hold nothing
