#!lua
-- KEYS[1] pre:{b}:A
-- ARGV[1] 1: visible, 0: hidden · [2] how long to remember when it was last seen, ms
-- -> the fields as they were before
local before = redis.call('HKEYS', KEYS[1])
if ARGV[1] == '0' then
  redis.call('HSET', KEYS[1], 'h', 1)
  redis.call('PERSIST', KEYS[1])
elseif redis.call('HDEL', KEYS[1], 'h') == 1 then
  local left = redis.call('HKEYS', KEYS[1])
  if #left == 1 and left[1] == 's' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
end
return before
