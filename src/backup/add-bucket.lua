-- Adds what a bucket counted, and the receipts that it owed; once.
-- KEYS[1] added · [2] tot · [3] out
-- ARGV[1] id of the backup · [2] acknowledged · [3] expired · [4] dropped · [5…] name, receipts of each that is owed
if redis.call('GET', KEYS[1]) == ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
local function add(field, count)
  if count + 0 > 0 then redis.call('HINCRBY', KEYS[2], field, count) end
end
add('a', ARGV[2] + ARGV[3] + ARGV[4])
add('k', ARGV[2])
add('x', ARGV[3])
add('d', ARGV[4])
for i = 5, #ARGV, 2 do redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 1]) end
return 1
