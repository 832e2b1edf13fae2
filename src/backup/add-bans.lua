-- Bans who was banned when the backup was made, beside those who are banned here, even where both together are too many.
-- KEYS[1] ban
-- ARGV[1] names this change among all · [2…] address, what is said of it, …; one of them is the mark of that time
-- -> how many were banned here already
local BAN = KEYS[1]
local added, there = 0, 0
for i = 2, #ARGV, 2 do
  if ARGV[i] ~= 'mark' then
    if redis.call('HSETNX', BAN, ARGV[i], ARGV[i + 1]) == 1 then added = added + 1 else there = there + 1 end
  end
end
-- By this nodes see that there is something to read.
if added > 0 then redis.call('HSET', BAN, 'mark', ARGV[1]) end
return there
