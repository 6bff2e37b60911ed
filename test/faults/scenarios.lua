-- The scenarios: what the product is asked to do while its calls fail.
--
--   name
--   kind     'open' (nil, message, code, stage), 'method' (nil, message, code), or
--            'partial' (nil, message, partial, code), 'words' (nil, message)
--   expect   rules that come before those of the kind (rules.lua)
--   setup    prepares, without faults
--   act      does the work, with faults; its results are told like the product's
--   again    goes on after an error, without faults; act, where it is missing
--   check    of the final results, after `act` or `again`: is the work done?
--   believes_counts  it tells what poll says, which must not say nonsense
--   fresh    each case needs a process of its own, as the first lookup does
--   standing faults that are there in every run, such as a system that lacks a call
--   twin     nearly the same as another, and left out where FAULTS_BRIEF is set
--   undoes_with  a call without which nothing can be undone, so it must not fail for ever
--   world    a function that says why the machine cannot run it, or nothing
--
-- `s` is what a run holds: s.dir, an empty directory; s:keep(object) and s:own(fd)
-- close it when the run has ended.

for _, room in ipairs { 'openings', 'objects', 'streams', 'messages', 'names' } do
  require(room)
end

return require('shared').list
