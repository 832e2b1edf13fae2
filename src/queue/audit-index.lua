-- What the totals of a bucket say, and what the states of all mailboxes in its expiry index do, at one instant; changes nothing.
-- Who has mail is in the index, so what is missing there shows as well. In the state, 9 are the messages that wait.
-- KEYS[1] tot · [2] exp · ARGV[1] most mailboxes
-- -> {waiting by the totals, by the states, mailboxes with some by the totals, by the states} · nil where there are more
if redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[1]) then return false end
local totals = redis.call('HMGET', KEYS[1], 'a', 'k', 'x', 'd', 'b')
for i = 1, 5 do totals[i] = tonumber(totals[i] or 0) or 0 end
local states = string.gsub(KEYS[1], 'tot:{', 'st:{', 1) .. ':'
local waiting, mailboxes = 0, 0
for _, address in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local isRead, state = pcall(cmsgpack.unpack, redis.pcall('HGET', states .. address, 's') or '')
  local pending = isRead and type(state) == 'table' and tonumber(state[9]) or 0
  waiting = waiting + pending
  if pending > 0 then mailboxes = mailboxes + 1 end
end
return { totals[1] - totals[2] - totals[3] - totals[4], waiting, totals[5], mailboxes }
