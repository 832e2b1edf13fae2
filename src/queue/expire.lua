-- Removes what is due.
-- ARGV[3] 1: its ghosts (ghosts.lua)
if ARGV[3] == '1' then openGhosts().expire() end
local packed = redis.call('HGET', ST, 's')
if not packed then
  -- The state went before its mail, which nobody can ask for any more.
  redis.call('UNLINK', MB, SHR)
  redis.call('ZREM', EXP, address)
  return
end
loadState(packed)
local score = tonumber(redis.call('ZSCORE', EXP, address) or 0)
if score > 0 and S[DUE] ~= score then S[DUE] = score end
expireDue()
saveState()
