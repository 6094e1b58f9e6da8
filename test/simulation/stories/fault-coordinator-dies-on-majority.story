# Coordinator dies with an accept on a majority: it has happened, and the finisher makes it known.
nodes A B C
background on

hold accepted all > A
put: A puts 1
wait for accepted C > A
kill A
put -> no answer
BC have accepted 1
BC hold nothing
wait 400 ms
BC hold 1
B reads eventually          -> 1
start A
wait 500 ms
all hold 1
roots agree
