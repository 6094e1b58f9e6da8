# Coordinator dies before any accept: nothing has happened.
nodes A B C
background on

hold promise all > A
put: A puts 1 if absent
wait for promise B > A
kill A
put -> no answer
B reads                     -> nothing
B puts 2 if absent          -> applied, was nothing
heal
start A
wait 300 ms
A reads                     -> 2
all hold 2
