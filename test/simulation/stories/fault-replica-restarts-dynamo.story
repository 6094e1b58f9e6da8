# A replica restarts, dynamo mode: it goes on with what its disk had, and is told the rest.
nodes A B C
mode dynamo

A puts 1                    -> applied
wait 10 ms
kill C
start C
C holds 1
C puts 2                    -> applied
A reads                     -> 2
kill B
start B
A repairs                   -> done
all hold 2
roots agree
