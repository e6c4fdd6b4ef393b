// @ts-check
/** What Rust asks of the database: a statement and its values in, rows out, all of it text. */
export class Sql {
  /** @param {SqlStorage} sql */
  constructor(sql) {
    this.sql = sql;
  }

  /**
   * @param {string} statement
   * @param {string} values a JSON list, or `null`
   */
  rows(statement, values) {
    return JSON.stringify(this.exec(statement, values).toArray());
  }

  /**
   * @param {string} statement
   * @param {string} values a JSON list, or `null`
   */
  write(statement, values) {
    return this.exec(statement, values).rowsWritten;
  }

  /**
   * @param {string} statement
   * @param {string} values
   */
  exec(statement, values) {
    return this.sql.exec(statement, ...(JSON.parse(values) ?? []));
  }
}
