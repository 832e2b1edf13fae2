-- Puts entries of a log where nobody looks yet. May be repeated.
-- KEYS[1] staged · ARGV[1] 1: the first of them · [2…] id, number of fields and values, these, of each
if ARGV[1] == '1' then redis.call('UNLINK', KEYS[1]) end
local i = 2
while i <= #ARGV do
  local fields = tonumber(ARGV[i + 1])
  local added = redis.pcall('XADD', KEYS[1], ARGV[i], unpack(ARGV, i + 2, i + 1 + fields))
  -- What an interrupted restore has put there is refused, for its id is not new.
  if added.err and #redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i]) == 0 then return added end
  i = i + 2 + fields
end
return redis.call('XLEN', KEYS[1])
