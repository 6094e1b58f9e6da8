# Message late: a late accept dies on what was promised since, a late learn loses against newer records.
nodes A B C
W 1
breaks learn-steps-back -> not-linearizable

hold next accept A > C
hold learn A > BC
A puts 1                    -> applied, was nothing
B puts 2                    -> applied, was 1
wait 5 ms
all hold 2
heal
wait 5 ms
all hold 2
all have accepted nothing
cut A
C reads                     -> 2
