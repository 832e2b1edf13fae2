-- Adds what a bucket counted, and the receipts that it owed; once.
-- KEYS[1] added · [2] tot · [3] out
-- ARGV[1] id of the backup · [2] acknowledged · [3] expired · [4] dropped · [5…] name, receipts of each that is owed
if redis.call('GET', KEYS[1]) == ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[2] + ARGV[3] + ARGV[4] > 0 then
  redis.call('HINCRBY', KEYS[2], 'a', ARGV[2] + ARGV[3] + ARGV[4])
  redis.call('HINCRBY', KEYS[2], 'k', ARGV[2])
  redis.call('HINCRBY', KEYS[2], 'x', ARGV[3])
  redis.call('HINCRBY', KEYS[2], 'd', ARGV[4])
end
for i = 5, #ARGV, 2 do redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 1]) end
return 1
