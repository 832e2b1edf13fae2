-- What the scripts on sign-in links share; put in front of each of them.
-- KEYS[1] lnk:{links}          hash  hash of the token -> the link, led by the ms when it ends
-- KEYS[2] lnk:{links}:waiting  zset  hash of the token -> when it ends, ms: those that wait for their proof
-- KEYS[3] lnk:{links}:proven   zset  likewise, of the proven
local MOST_AT_ONCE = 1000

local function last_for(key, ttl)
  if redis.call('PTTL', key) < tonumber(ttl) then redis.call('PEXPIRE', key, ttl) end
end

-- Room for one more: what is over goes, and beyond the bound the oldest.
local function keep(index, token, link, now, ttl, bound)
  redis.call('HSET', KEYS[1], token, link)
  redis.call('ZADD', index, string.format('%d', now + ttl), token)
  local over = math.max(redis.call('ZCOUNT', index, '-inf', now), redis.call('ZCARD', index) - bound)
  if over > 0 then
    local gone = redis.call('ZRANGE', index, 0, math.min(over, MOST_AT_ONCE) - 1)
    redis.call('ZREM', index, unpack(gone))
    redis.call('HDEL', KEYS[1], unpack(gone))
  end
  last_for(KEYS[1], ttl)
  last_for(index, ttl)
end
