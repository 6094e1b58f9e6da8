# Away over a change of epoch, strict: the node begins with nothing and is filled by repair.
# C goes with 1, which is deleted and purged while it is no member. It must not bring 1 back.
nodes A B C
spares D

A puts 1                    -> applied
wait 10 ms
kill C
wait 400 ms
A leads to ABD              -> changed
A deletes                   -> applied, was 1
wait 3000 ms
A purges                    -> 1 purged, 0 waiting
start C
A leads to ABC              -> changed
wait 50 ms
all are in epoch 2
cut A
C reads                     -> nothing
all hold nothing
