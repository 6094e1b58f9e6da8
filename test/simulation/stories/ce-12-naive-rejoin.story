# Counterexample 12, naive rejoin: a node that lost its disk has no vote until an epoch names the new one.
nodes A B C
breaks empty-disk-votes -> not-linearizable

cut C
A puts 1                    -> applied
wipe B
heal
start B
B has no vote
cut A
C reads                     -> unavailable
heal
A leads to ABC              -> changed
cut A
C reads                     -> 1
