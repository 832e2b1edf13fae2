#!lua flags=no-writes
-- KEYS[1] rev
-- ARGV[1] a mark that an earlier call returned, or ''
-- -> {mark, 1: some after that mark are not known any more, {entry, …}}
local last, deleted = '0-0', '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
    if info[i] == 'max-deleted-entry-id' then deleted = info[i + 1] end
  end
end
if ARGV[1] == '' then return { last, 0, {} } end

local function isBefore(a, b)
  local aMs, aSeq = string.match(a, '^(%d+)-(%d+)$')
  local bMs, bSeq = string.match(b, '^(%d+)-(%d+)$')
  aMs, aSeq, bMs, bSeq = tonumber(aMs), tonumber(aSeq), tonumber(bMs), tonumber(bSeq)
  return aMs < bMs or (aMs == bMs and aSeq < bSeq)
end

-- Trimmed beyond the mark, or a stream that began anew: its Redis has lost what it had.
if isBefore(ARGV[1], deleted) or isBefore(last, ARGV[1]) then
  return { last, 1, last == '0-0' and {} or redis.call('XRANGE', KEYS[1], '-', '+') }
end
return { last, 0, last == '0-0' and {} or redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+') }
