-- Looks at one mailbox, a slice of its log at a time; changes nothing. By intention it shares nothing with mailbox.lua, whose
-- work it checks. In the state, 5 is the sequence of the furthest cursor and 9 the messages that wait.
-- KEYS[1] mb · [2] st · [3] exp · ARGV[1] address · [2] '-' or '(<id>', where the slice begins · [3] most entries of it
-- -> {'' without a state, '?' where it cannot be read, else a digest of it, what it says waits, entries in the log,
--     1 if the index knows the mailbox, messages in the slice that wait, damaged entries in it, where the next begins or ''}
local packed = redis.call('HGET', KEYS[2], 's')
local digest, waiting, furthest = '', 0, 0
if packed then
  local isRead, state = pcall(cmsgpack.unpack, packed)
  digest = '?'
  if isRead and type(state) == 'table' and tonumber(state[5]) and tonumber(state[9]) then
    digest, furthest, waiting = redis.sha1hex(packed), state[5], state[9]
  end
elseif redis.call('EXISTS', KEYS[2]) == 1 then
  digest = '?'
end
local found, damaged = 0, 0
local entries = redis.call('XRANGE', KEYS[1], ARGV[2], '+', 'COUNT', ARGV[3])
for _, entry in ipairs(entries) do
  local kind, peer = string.match(entry[2][2] or '', '^([mjdrx])%d+ %d+ %d+ %d+ %d+ (0x%x+) [\32-\126]+\n')
  if not kind or #peer ~= 42 then
    damaged = damaged + 1
  elseif (kind == 'm' or kind == 'j') and tonumber(string.match(entry[1], '-(%d+)$')) > furthest then
    found = found + 1
  end
end
local isMore = #entries == tonumber(ARGV[3])
local isIndexed = redis.call('ZSCORE', KEYS[3], ARGV[1]) and 1 or 0
local nextStart = isMore and '(' .. entries[#entries][1] or ''
return { digest, waiting, redis.call('XLEN', KEYS[1]), isIndexed, found, damaged, nextStart }
