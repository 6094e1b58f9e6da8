# Node added and removed: a write that meets the change of epoch is tried again in the new one, and takes place once.
nodes A B C
spares D

A puts 1                    -> applied
hold accept C > AB
put: C puts 2 if 1
wait for accept C > B
A leads to ABD              -> changed
ABD are in epoch 1
C has no vote
release accept C > AB
put -> applied, was 1
D reads                     -> 2
D puts 3 if 2               -> applied, was 2
wait 10 ms
ABD hold 3
C reads                     -> 3
