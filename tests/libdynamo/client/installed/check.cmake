# Installs the library into an empty folder, then builds and runs a program against it: once as
# CMake finds it, once as pkg-config does.
#     cmake -DBUILD=... -DSOURCE=... -DCOMPILER=... -P check.cmake
set(scratch ${BUILD}/installed-check)
file(REMOVE_RECURSE ${scratch})

function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output
                    ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "${ARGN}\n${output}")
    endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --component library --prefix ${scratch}/root)
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${scratch}/build -DCMAKE_PREFIX_PATH=${scratch}/root
    -DCMAKE_CXX_COMPILER=${COMPILER} "-DCMAKE_CXX_FLAGS=${FLAGS}")
run(${CMAKE_COMMAND} --build ${scratch}/build)
run(${scratch}/build/user)

file(GLOB_RECURSE pc ${scratch}/root/*/dynamo.pc)
get_filename_component(folder ${pc} DIRECTORY)
set(ENV{PKG_CONFIG_PATH} ${folder})
# The file names the prefix that was configured; this installation went elsewhere.
execute_process(COMMAND pkg-config --define-variable=prefix=${scratch}/root --cflags --libs dynamo
                OUTPUT_VARIABLE arguments OUTPUT_STRIP_TRAILING_WHITESPACE
                COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(arguments UNIX_COMMAND "${arguments}")
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
run(${COMPILER} -std=c++23 ${flags} ${SOURCE}/user.cc ${arguments} -o ${scratch}/user)
run(${scratch}/user)
file(REMOVE_RECURSE ${scratch})
