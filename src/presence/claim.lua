#!lua flags=allow-oom
-- Takes one name whose lease ended, to clean up after it, unless somebody is at it.
-- KEYS[1] {nodes}
-- ARGV[1] now, ms · [2] until when the claim lasts, ms
-- -> {name, when its lease ended, ms} · nil
local ended = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'WITHSCORES')
for i = 1, #ended, 2 do
  local score = tonumber(ended[i + 1])
  if score >= 0 or -score <= tonumber(ARGV[1]) then
    redis.call('ZADD', KEYS[1], -tonumber(ARGV[2]), ended[i])
    -- Whoever claimed it before has overwritten when it ended.
    return { ended[i], score >= 0 and ended[i + 1] or ARGV[1] }
  end
end
return nil
