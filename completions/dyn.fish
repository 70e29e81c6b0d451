# Completion of the dyn tools for fish: each tool says itself what could stand at the cursor.
function __dyn_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (env DYN_COMPLETE=1 $words "$current" 2>/dev/null)
    if set -q found[1]
        printf '%s\n' $found
    else
        __fish_complete_path "$current"
    end
end
for tool in dyn-get dyn-put dyn-del dyn-merge dyn-update dyn-keys dyn-ring dyn-stats dyn-cluster dyn-bench dyn-merkle-diff dyn-repair dyn-dump dyn-load
    complete -c $tool -f -a '(__dyn_complete)'
end
