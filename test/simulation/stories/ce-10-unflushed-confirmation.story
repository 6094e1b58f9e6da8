# Counterexample 10: a replica agrees to a purge when the tombstone is on its disk, not before.
# C knows of the delete, but has not flushed it. It agrees to the purge, and dies; A and B have purged theirs.
nodes A B C
breaks confirmed-before-flush -> not-linearizable

A puts 1                    -> applied
wait 10 ms
drop accept A > C
A deletes                   -> applied, was 1
wait 3000 ms
C holds tombstone
hold purge A > C
A purges                    -> 0 purged, 1 waiting
AB hold nothing
kill C
start C
C holds tombstone
cut A
B reads                     -> nothing
