-- Moves the cursors of several mailboxes; none is kept by what is wrong with another.
-- KEYS four of each mailbox (mailbox.lua) · ARGV[1] now, ms, then of each: address, and acknowledge.lua's arguments from ARGV[3] on
-- -> of each what acknowledge.lua answers, or {'failed', why}
local answers = {}
for i = 1, #KEYS / 4 do
  local isAnswered, answer =
    pcall(acknowledge, { unpack(KEYS, i * 4 - 3, i * 4) }, { ARGV[1], unpack(ARGV, i * 8 - 6, i * 8 + 1) })
  answers[i] = isAnswered and answer or { 'failed', type(answer) == 'table' and answer.err or tostring(answer) }
end
return answers
