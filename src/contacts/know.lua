#!lua
-- Its owner wrote to these addresses, or took mail of theirs.
-- KEYS[1] kno:{b}:A · [2] shr:{b}:A · [3] alw:{b}:A
-- ARGV[1] now, ms · [2] how long it is kept, ms · [3] most of them · [4…] addresses
local known, shares, allowed = KEYS[1], KEYS[2], KEYS[3]
-- What waits of strangers, where somebody counted (append.lua): theirs is not that any more.
local count, size = string.match(redis.call('HGET', shares, '*') or '', '(%S+) (%S+)')
for i = 4, #ARGV do
  if redis.call('ZADD', known, ARGV[1], ARGV[i]) == 1 and count and not redis.call('ZSCORE', allowed, ARGV[i]) then
    local own, bytes = string.match(redis.call('HGET', shares, ARGV[i]) or '0 0', '(%S+) (%S+)')
    count, size = math.max(0, count - own), math.max(0, size - bytes)
    redis.call('HSET', shares, '*', string.format('%d %d', count, size))
  end
end
redis.call('ZREMRANGEBYRANK', known, 0, -ARGV[3] - 1)
redis.call('PEXPIRE', known, ARGV[2])
