#!lua flags=no-writes
-- KEYS[1] rev
-- ARGV[1] a mark that an earlier call returned, or ''
-- -> {mark, 1: some after that mark are not known any more, {entry, …}}
-- A mark: the last id, and how many there ever were.
local last, added, length = '0-0', 0, 0
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
    if info[i] == 'entries-added' then added = info[i + 1] end
    if info[i] == 'length' then length = info[i + 1] end
  end
end
local mark = last .. ' ' .. added
if ARGV[1] == '' then return { mark, 0, {} } end
local seen, count = string.match(ARGV[1], '^(%d+%-%d+) (%d+)$')

local function isBefore(a, b)
  local aMs, aSeq = string.match(a, '^(%d+)-(%d+)$')
  local bMs, bSeq = string.match(b, '^(%d+)-(%d+)$')
  aMs, aSeq, bMs, bSeq = tonumber(aMs), tonumber(aSeq), tonumber(bMs), tonumber(bSeq)
  return aMs < bMs or (aMs == bMs and aSeq < bSeq)
end

-- Trimmed beyond the mark, or a stream that began anew: its Redis has lost what it had.
if not seen or isBefore(last, seen) or added < tonumber(count) or added - length > tonumber(count) then
  return { mark, 1, last == '0-0' and {} or redis.call('XRANGE', KEYS[1], '-', '+') }
end
return { mark, 0, last == '0-0' and {} or redis.call('XRANGE', KEYS[1], '(' .. seen, '+') }
