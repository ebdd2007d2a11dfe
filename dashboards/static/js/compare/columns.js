// @ts-check
/** The type of a table's columns, for rows of one type. */

/**
 * @template Row
 * @typedef {{key: string, title: any, term?: string, align?: "left" | "right", width?: string, sort?: boolean,
 *   render: (row: Row) => any}} Column
 */

export {};
