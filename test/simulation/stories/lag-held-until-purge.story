# A record that is held back must not come after a newer tombstone was purged.
nodes A B C
limit hintsKept 0            # left to Merkle repair, which does not run either
breaks held-outlives-purge -> not-linearizable

A puts 1                    -> applied
wait 10 ms
lag without end
A puts 2                    -> applied, was 1
wait 5 ms
C holds back 1
C reads its own             -> 1
drop learn A > C
A deletes                   -> applied, was 2
C holds back 1
wait 3000 ms
A purges                    -> 1 purged, 0 waiting
C holds back 0
lag ends
wait 5 ms
C reads its own             -> nothing
cut A
C reads                     -> nothing
