# SPDX-License-Identifier: Apache-2.0
# interface_package(DEPENDENCIES ...) builds every msg/*.msg of the package that calls it, for C and Python alone: no C++
# reads them here, and leaving it out halves the build.

macro(interface_package)
  cmake_parse_arguments(_interface "" "" "DEPENDENCIES" ${ARGN})
  find_package(ament_cmake REQUIRED)
  find_package(rosidl_default_generators REQUIRED)
  foreach(_dependency ${_interface_DEPENDENCIES})
    find_package(${_dependency} REQUIRED)
  endforeach()
  list(FILTER AMENT_EXTENSIONS_rosidl_generate_idl_interfaces EXCLUDE REGEX "cpp:")

  file(GLOB _interface_files CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} msg/*.msg)
  rosidl_generate_interfaces(${PROJECT_NAME} ${_interface_files} DEPENDENCIES ${_interface_DEPENDENCIES})
  # As in our own package: CMake refuses to export an include directory of the source tree, where `make` keeps Python.
  if(TARGET ${PROJECT_NAME}__rosidl_generator_py)
    set_property(TARGET ${PROJECT_NAME}__rosidl_generator_py PROPERTY INTERFACE_INCLUDE_DIRECTORIES "")
  endif()
  ament_export_dependencies(rosidl_default_runtime)
  ament_package()
endmacro()
