-- What the totals of a bucket say, and what the states of its mailboxes do, at one instant; changes nothing.
-- KEYS[1] tot · [2…] st of each mailbox · ARGV[1] how many mailboxes
-- -> {accepted, acknowledged, expired, dropped, mailboxes with waiting messages; by the states: waiting messages, mailboxes with some}
local totals = redis.call('HMGET', KEYS[1], 'a', 'k', 'x', 'd', 'b')
local answer = {}
for i = 1, 5 do answer[i] = tonumber(totals[i] or 0) or 0 end
local waiting, mailboxes = 0, 0
for i = 2, ARGV[1] + 1 do
  local packed = redis.call('HGET', KEYS[i], 's')
  local isRead, state = pcall(cmsgpack.unpack, packed or '')
  local pending = isRead and type(state) == 'table' and tonumber(state[9]) or 0
  waiting = waiting + pending
  if pending > 0 then mailboxes = mailboxes + 1 end
end
answer[6], answer[7] = waiting, mailboxes
return answer
