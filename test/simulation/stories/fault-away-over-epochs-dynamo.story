# Away over changes of epoch, dynamo mode, W=1: a write that only the absent node had is gone, once its hints are too old.
# What C holds may have been deleted and purged in an epoch that it missed, so it begins with nothing.
nodes A B C
mode dynamo
W 1
limit hintLifeMs 100

A puts 1                    -> applied
wait 10 ms
cut C
C puts 2                    -> applied
C puts 7 if 9               -> unavailable   # a promise is flushed, and 2 with it
kill C
heal
A leads to ABC              -> changed
A leads to ABC              -> changed
start C
C holds 2
background on
wait 500 ms
all are in epoch 2
all hold 1
C reads                     -> 1
