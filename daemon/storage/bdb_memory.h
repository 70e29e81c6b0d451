// Memory for the library's cache on huge pages.
//
// A cache of many pages read at random misses the processor's address cache more than anything
// else; on 2 MiB pages the same work takes 15 to 25 % less time. The library asks for its cache one
// page at a time, so blocks of a page's size are cut from large regions that the kernel is advised
// to back with huge pages. Everything else goes to malloc.
//
// Shape:   blocks of 4 KiB to 80 KiB come from regions of 8 MiB, which are kept for reuse
// Threads: any
// Errors:  as malloc: nullptr
#pragma once

namespace dynamo {

/// Has the library allocate here. To be called before its first use in the process; calling it
/// again changes nothing.
void use_huge_pages();

/// Frees what the library allocated for its caller, such as statistics.
void free_from_bdb(void* memory);

}  // namespace dynamo
