-- KEYS[1] st -> {last, its ms, dropped, furthest, its ms, pending, due, mean bytes of an entry} · nil
local packed = redis.call('HGET', KEYS[1], 's')
if not packed then return false end
local S = cmsgpack.unpack(packed)
local entries = S[3] - S[11]
return { S[1], S[2], S[13], S[5], S[6], S[9], S[14], entries > 0 and math.ceil((S[4] - S[12]) / entries) or 0 }
