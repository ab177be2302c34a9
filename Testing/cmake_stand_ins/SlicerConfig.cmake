# Stands in for Slicer's build tree: enough to configure, build and install a scripted extension without Slicer.
# The macros check what Slicer's check (a file that is not there is fatal) and put files where Slicer puts them.

set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/ExtensionConfig.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/ExtensionCPack.cmake)
set(Slicer_FOUND TRUE)
