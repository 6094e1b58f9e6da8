# Counterexample 9: a config names disks. A late "activate" must not give a vote to a disk that was wiped since.
# 2 is on A and C when C loses its disk; with the vote of an empty C, B would find 1.
nodes A B C
breaks wiped-disk-keeps-its-id -> not-linearizable

A puts 1                    -> applied
hold next activate A > C
A leads to ABC              -> changed
all are in epoch 1
cut B
A puts 2                    -> applied, was 1
wipe C
start C
heal
cut A
wait 10 ms
C has no vote
B reads                     -> unavailable
heal
A reads                     -> 2
