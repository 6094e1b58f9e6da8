# A link cut one way, strict: whoever cannot ask a majority, or cannot hear it, is unavailable; the others go on.
nodes A B C

cut A > B
A puts 1                    -> applied, was nothing
cut A > C
A puts 2                    -> unavailable
B puts 3                    -> applied, was 1
C reads                     -> 3
heal
cut BC > A
A puts 4                    -> unavailable
B puts 5 if 3               -> applied, was 3
heal
A reads                     -> 5
