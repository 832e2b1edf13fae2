-- Stores messages for several mailboxes; those of one mailbox in their order, and none is kept by what is wrong with another.
-- KEYS four of each mailbox (mailbox.lua) · ARGV[1] now, ms · [2] this node, then of each mailbox: address · 1 or 0, whether this
-- node listens to it · how many messages · when they expire, ms, and of each: digest · kind (m or j) and fingerprint · its entry from
-- `bytes` on. A mailbox comes again where its messages do not expire together. What stands in an entry is joined by who sends it:
-- each byte of each string costs Lua a nanosecond.
-- -> of each mailbox the id of its last message where all were stored one after the other, {id, other nodes that listen} where
--    there are such, else an answer for each message: as append.lua gives it, {id, other nodes} or {'failed', why}
local function failure(error) return { 'failed', type(error) == 'table' and error.err or tostring(error) } end

local answers, at = {}, 3
for mailbox = 1, #KEYS / 4 do
  local key = mailbox * 4
  local mb, st, tot, exp = KEYS[key - 3], KEYS[key - 2], KEYS[key - 1], KEYS[key]
  local address, listens, count, expires = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3]
  local each, done, unusual = {}, 0, 0
  at = at + 4
  while done < count do
    local isDone, stored, ms, last, others = true, 0, nil, nil, nil
    -- A mailbox that is unusual stays so.
    if unusual < 2 then
      isDone, stored, ms, last, others = pcall(quickly, mb, st, tot, exp, address, listens, expires, at + done * 3, count - done)
    end
    if not isDone then
      local why = failure(stored)
      for i = done + 1, count do each[i] = why end
      break
    end
    if stored == count then
      each = others > 0 and { ms .. '-' .. last, others } or ms .. '-' .. last
      break
    end
    for i = 1, stored do each[done + i] = { ms .. '-' .. last - stored + i, others } end
    done, unusual = done + stored, stored > 0 and 0 or unusual + 1
    if done < count then
      local place = at + done * 3
      local timestamp, sender, messageId, content = string.match(ARGV[place + 2], '^%d+ %d+ (%S+) (%S+) ([^\n]*)\n(.*)$')
      local args = { ARGV[1], address, sender, messageId, ARGV[place + 1], expires, timestamp, content, listens .. node }
      local isAnswered, answer = pcall(generally, { mb, st, tot, exp }, args)
      done = done + 1
      each[done] = isAnswered and answer or failure(answer)
    end
  end
  answers[mailbox], at = each, at + count * 3
end
return answers
