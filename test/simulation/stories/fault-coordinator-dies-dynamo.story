# Coordinator dies midway, dynamo mode: the write is on some replicas, and repair spreads it.
nodes A B C
mode dynamo

drop learn A > C
hold learned B > A
put: A puts 1
wait for learned B > A
kill A
put -> no answer
B holds 1
C holds nothing
B repairs                   -> done
C holds 1
start A
background on
wait 900 ms
all hold 1
roots agree
