# SDK retry after a time-out: as in DynamoDB it is an operation of its own, and finds the first one's value.
nodes A B C

hold accepted all > A
first: A puts 1 if absent
wait for accepted C > A
kill A
first -> no answer
B puts 1 if absent          -> condition failed, is 1
C reads                     -> 1
